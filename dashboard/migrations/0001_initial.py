"""Flows with drafts, versions and activations; the catalogue of users, items and feedback."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class CreateWithoutRowid(migrations.CreateModel):
    """A table that SQLite keeps in the tree of its own key: half the size and no second look-up.

    Altering the table through Django would copy it into an ordinary one; a test watches over that.
    """

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "sqlite":
            schema_editor.sql_create_table += " WITHOUT ROWID"
        super().database_forwards(app_label, schema_editor, from_state, to_state)
        vars(schema_editor).pop("sql_create_table", None)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="FeedbackType",
            fields=[
                ("number", models.SmallAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=256, unique=True)),
            ],
            options={
                "db_table": "catalogue_feedback_type",
            },
        ),
        migrations.CreateModel(
            name="Flow",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("archived", models.BooleanField(default=False)),
            ],
        ),
        migrations.CreateModel(
            name="ImportProgress",
            fields=[
                ("fingerprint", models.CharField(max_length=80, primary_key=True, serialize=False)),
                ("path", models.TextField()),
                ("position", models.BigIntegerField(default=0)),
                ("rejected", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "catalogue_import",
            },
        ),
        migrations.CreateModel(
            name="Item",
            fields=[
                ("number", models.AutoField(primary_key=True, serialize=False)),
                ("item_id", models.CharField(max_length=256, unique=True)),
                ("is_hidden", models.BooleanField(default=False)),
                ("categories", models.TextField(default="null")),
                ("time_us", models.BigIntegerField(default=-62135596800000000)),
                ("labels", models.TextField(default="null")),
                ("comment", models.TextField(default="")),
            ],
            options={
                "db_table": "catalogue_item",
                "indexes": [models.Index(fields=["-time_us", "item_id"], name="item_by_time")],
            },
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("number", models.AutoField(primary_key=True, serialize=False)),
                ("user_id", models.CharField(max_length=256, unique=True)),
                ("labels", models.TextField(default="null")),
                ("comment", models.TextField(default="")),
            ],
            options={
                "db_table": "catalogue_user",
            },
        ),
        migrations.CreateModel(
            name="CatalogueVersion",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("origin", models.CharField(max_length=32)),
                ("number", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "catalogue_version",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(("id", 1)), name="one_catalogue_version")
                ],
            },
        ),
        CreateWithoutRowid(
            name="Feedback",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "user_number",
                        "item_number",
                        "type_number",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("user_number", models.IntegerField()),
                ("item_number", models.IntegerField()),
                ("type_number", models.SmallIntegerField()),
                ("value", models.FloatField(default=0.0)),
                ("time_us", models.BigIntegerField(default=-62135596800000000)),
                ("updated_us", models.BigIntegerField(default=-62135596800000000)),
                ("comment", models.TextField(default="")),
            ],
            options={
                "db_table": "catalogue_feedback",
                "indexes": [models.Index(fields=["item_number"], name="feedback_by_item")],
            },
        ),
        migrations.CreateModel(
            name="FlowVersion",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.TextField()),
                ("hash", models.CharField(max_length=64)),
                ("author", models.CharField(default="", max_length=150)),
                ("number", models.PositiveIntegerField()),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "flow",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="versions",
                        to="dashboard.flow",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ActiveVersion",
            fields=[
                ("id", models.PositiveSmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="dashboard.flowversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Activation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("author", models.CharField(default="", max_length=150)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                (
                    "previous",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="dashboard.flowversion",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="dashboard.flowversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Draft",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("text", models.TextField()),
                ("hash", models.CharField(max_length=64)),
                ("author", models.CharField(default="", max_length=150)),
                ("revision", models.PositiveIntegerField()),
                ("saved_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "flow",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="drafts",
                        to="dashboard.flow",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("flow", "revision"), name="one_draft_a_revision")
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="flowversion",
            constraint=models.UniqueConstraint(fields=("flow", "number"), name="one_version_a_number"),
        ),
        migrations.AddConstraint(
            model_name="activeversion",
            constraint=models.CheckConstraint(condition=models.Q(("id", 1)), name="one_active_version"),
        ),
    ]
