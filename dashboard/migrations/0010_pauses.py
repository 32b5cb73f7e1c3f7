"""Jobs that rest, and what they have made and paid so far; where the parts of a job begin; counts by day."""

from django.db import migrations, models

LIVE = models.Q(("state__in", ("queued", "running", "paused")))


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0009_list_version"),
    ]

    operations = [
        migrations.CreateModel(
            name="DailyCount",
            fields=[
                ("day", models.DateField(primary_key=True, serialize=False)),
                ("users", models.BigIntegerField()),
                ("items", models.BigIntegerField()),
                ("feedback", models.BigIntegerField()),
            ],
        ),
        migrations.RemoveConstraint(model_name="job", name="one_live_job_a_key"),
        migrations.AddField(model_name="job", name="pause_asked", field=models.BooleanField(default=False)),
        migrations.AddField(model_name="job", name="made", field=models.PositiveBigIntegerField(default=0)),
        migrations.AddField(
            model_name="job", name="made_before", field=models.PositiveBigIntegerField(default=0)
        ),
        migrations.AddField(model_name="job", name="cost", field=models.FloatField(default=0.0)),
        migrations.AddField(
            model_name="job", name="cost_unknown", field=models.PositiveBigIntegerField(default=0)
        ),
        migrations.AddField(model_name="shard", name="first", field=models.JSONField(default=list)),
        migrations.AlterField(
            model_name="job",
            name="state",
            field=models.CharField(
                choices=[
                    ("queued", "Queued"),
                    ("running", "Running"),
                    ("paused", "Paused"),
                    ("done", "Done"),
                    ("failed", "Failed"),
                    ("cancelled", "Cancelled"),
                ],
                default="queued",
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="job",
            constraint=models.UniqueConstraint(condition=LIVE, fields=("key",), name="one_live_job_a_key"),
        ),
    ]
