"""Evaluations and what came out of them."""

import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0003_jobs"),
    ]

    operations = [
        migrations.CreateModel(
            name="Evaluation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=16)),
                ("title", models.CharField(max_length=160)),
                ("settings", models.JSONField(default=dict)),
                ("data_version", models.CharField(blank=True, default="", max_length=120)),
                ("flow_id", models.BigIntegerField(null=True)),
                ("flow_version", models.PositiveIntegerField(null=True)),
                ("subject", models.CharField(blank=True, default="", max_length=64)),
                ("author", models.CharField(blank=True, default="", max_length=150)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("finished_at", models.DateTimeField(null=True)),
                ("job_number", models.BigIntegerField(null=True)),
                ("state", models.CharField(default="queued", max_length=16)),
                ("error", models.CharField(blank=True, default="", max_length=500)),
                ("report", models.JSONField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["flow_id", "-id"], name="evaluation_by_flow")],
            },
        ),
    ]
