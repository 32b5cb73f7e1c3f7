"""From which share of failures on a node is marked in the editor."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0006_wanted_lists"),
    ]

    operations = [
        migrations.AddField(
            model_name="outsidelimits",
            name="warn_failed_percent",
            field=models.FloatField(default=10.0),
        ),
    ]
