"""Endpoints, prices, secrets and limits of other machines, and what was asked of them."""

import django.core.validators
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="ModelPrice",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("model", models.CharField(max_length=200, unique=True)),
                ("input", models.FloatField()),
                ("output", models.FloatField()),
                ("cached_input", models.FloatField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Secret",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64, unique=True)),
                ("value", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="ServiceEndpoint",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64, unique=True)),
                ("base_url", models.CharField(max_length=500)),
                ("model", models.CharField(max_length=200)),
                ("key", models.TextField(blank=True, default="")),
                ("requests_per_minute", models.PositiveIntegerField(default=0)),
                ("tokens_per_minute", models.PositiveIntegerField(default=0)),
                ("concurrency", models.PositiveIntegerField(default=0)),
                (
                    "timeout_s",
                    models.FloatField(
                        default=60.0, validators=[django.core.validators.MinValueValidator(0.1)]
                    ),
                ),
                ("context_tokens", models.PositiveIntegerField(default=0)),
                ("thinking_off", models.CharField(default="not_sent", max_length=64)),
                ("output_cap_field", models.CharField(default="max_tokens", max_length=64)),
                ("verify_tls", models.BooleanField(default=True)),
                ("revision", models.PositiveIntegerField(default=1)),
            ],
        ),
        migrations.CreateModel(
            name="CallCount",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flow", models.CharField(max_length=128)),
                ("node_id", models.CharField(max_length=128)),
                ("kind", models.CharField(max_length=16)),
                ("endpoint", models.CharField(default="", max_length=64)),
                ("model", models.CharField(default="", max_length=200)),
                ("status", models.CharField(max_length=16)),
                ("reason", models.CharField(default="", max_length=64)),
                ("tokens_in", models.PositiveBigIntegerField(default=0)),
                ("tokens_out", models.PositiveBigIntegerField(default=0)),
                ("tokens_cached", models.PositiveBigIntegerField(default=0)),
                ("tokens_reasoning", models.PositiveBigIntegerField(default=0)),
                ("day", models.DateField()),
                ("calls", models.PositiveBigIntegerField(default=0)),
                ("requests", models.PositiveBigIntegerField(default=0)),
                ("cost", models.FloatField(default=0.0)),
                ("cost_unknown", models.PositiveBigIntegerField(default=0)),
                ("ms", models.FloatField(default=0.0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("day", "flow", "node_id", "kind", "endpoint", "model", "status", "reason"),
                        name="one_count_an_outcome",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CallLogEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flow", models.CharField(max_length=128)),
                ("node_id", models.CharField(max_length=128)),
                ("kind", models.CharField(max_length=16)),
                ("endpoint", models.CharField(default="", max_length=64)),
                ("model", models.CharField(default="", max_length=200)),
                ("status", models.CharField(max_length=16)),
                ("reason", models.CharField(default="", max_length=64)),
                ("tokens_in", models.PositiveBigIntegerField(default=0)),
                ("tokens_out", models.PositiveBigIntegerField(default=0)),
                ("tokens_cached", models.PositiveBigIntegerField(default=0)),
                ("tokens_reasoning", models.PositiveBigIntegerField(default=0)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("node_name", models.CharField(max_length=128)),
                ("user_id", models.CharField(default="", max_length=256)),
                ("message", models.TextField(default="")),
                ("n_calls", models.PositiveIntegerField(default=0)),
                ("n_kept", models.PositiveIntegerField(default=0)),
                ("statuses", models.JSONField(default=list)),
                ("cost", models.FloatField(null=True)),
                ("ms", models.FloatField(default=0.0)),
                ("details", models.TextField(default="")),
            ],
            options={
                "indexes": [models.Index(fields=["flow", "node_id", "-id"], name="log_of_a_node")],
            },
        ),
        migrations.CreateModel(
            name="OutsideLimits",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("networks", models.TextField(blank=True, default="")),
                ("currency", models.CharField(default="USD", max_length=8)),
                ("run_tokens", models.PositiveBigIntegerField(null=True)),
                ("run_cost", models.FloatField(null=True)),
                ("day_tokens", models.PositiveBigIntegerField(null=True)),
                ("day_cost", models.FloatField(null=True)),
                ("log_calls", models.PositiveIntegerField(default=100)),
                ("log_days", models.PositiveIntegerField(default=30)),
                ("log_prompts", models.BooleanField(default=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_outside_limits")
                ],
            },
        ),
    ]
