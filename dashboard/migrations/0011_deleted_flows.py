"""Flows that somebody deleted and may want back."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0010_pauses"),
    ]

    operations = [
        migrations.AddField(
            model_name="flow",
            name="deleted_at",
            field=models.DateTimeField(null=True),
        ),
    ]
