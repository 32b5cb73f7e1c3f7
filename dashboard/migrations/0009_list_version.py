"""A number that counts up whenever prepared lists are written."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0008_takes_back"),
    ]

    operations = [
        migrations.CreateModel(
            name="ListVersion",
            fields=[
                (
                    "id",
                    models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False),
                ),
                ("number", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "catalogue_list_version",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_list_version")
                ],
            },
        ),
    ]
