"""Background jobs and their shards; prepared lists beside the catalogue."""

from importlib import import_module

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

_initial = import_module("dashboard.migrations.0001_initial")


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0002_services"),
    ]

    operations = [
        _initial.CreateWithoutRowid(
            name="PreparedList",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "version", "user_id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("version", models.CharField(max_length=64)),
                ("user_id", models.CharField(max_length=256)),
                ("item_ids", models.TextField()),
                ("scores", models.TextField()),
                ("made_at_us", models.BigIntegerField()),
                ("digest", models.CharField(max_length=32)),
            ],
            options={
                "db_table": "catalogue_prepared_list",
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=32)),
                ("key", models.CharField(max_length=160)),
                ("title", models.CharField(max_length=160)),
                ("parameters", models.JSONField(default=dict)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "Queued"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="queued",
                        max_length=16,
                    ),
                ),
                ("share", models.FloatField(default=0.0)),
                ("text", models.CharField(blank=True, default="", max_length=500)),
                ("log", models.TextField(blank=True, default="")),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("asked_by", models.CharField(blank=True, default="", max_length=150)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("worker", models.CharField(blank=True, default="", max_length=160)),
                ("heartbeat_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("cancel_asked", models.BooleanField(default=False)),
            ],
            options={
                "indexes": [models.Index(fields=["state", "id"], name="job_by_state")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("queued", "running"))),
                        fields=("key",),
                        name="one_live_job_a_key",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Shard",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("done_at", models.DateTimeField(null=True)),
                ("worker", models.CharField(blank=True, default="", max_length=160)),
                ("count", models.PositiveIntegerField(default=0)),
                (
                    "job",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="shards", to="dashboard.job"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("job", "number"), name="one_shard_a_number")],
            },
        ),
    ]
