"""Users who wait for a prepared list."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0005_changes"),
    ]

    operations = [
        migrations.CreateModel(
            name="WantedList",
            fields=[
                ("user_id", models.CharField(max_length=256, primary_key=True, serialize=False)),
                ("asked_at_us", models.BigIntegerField()),
            ],
            options={
                "db_table": "catalogue_wanted_list",
            },
        ),
    ]
