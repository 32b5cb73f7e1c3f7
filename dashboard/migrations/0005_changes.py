"""The catalogue's log of changes."""

from importlib import import_module

from django.db import migrations, models

_initial = import_module("dashboard.migrations.0001_initial")


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0004_evaluation"),
    ]

    operations = [
        _initial.CreateWithoutRowid(
            name="CatalogueChange",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "version",
                        "kind",
                        "name",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("version", models.BigIntegerField()),
                ("kind", models.CharField(max_length=12)),
                ("name", models.CharField(max_length=256)),
            ],
            options={
                "db_table": "catalogue_change",
            },
        ),
    ]
