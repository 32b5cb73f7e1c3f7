"""Keys of endpoints and secrets are encrypted; those that are there already are, too."""

from django.db import migrations

import dashboard.models.sealed


def seal(apps, schema_editor):
    for model, column in (("ServiceEndpoint", "key"), ("Secret", "value")):
        for row in apps.get_model("dashboard", model).objects.using(schema_editor.connection.alias):
            row.save(update_fields=[column])  # the column is read as it is and written sealed


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0012_api_keys"),
    ]

    operations = [
        migrations.AlterField(
            model_name="serviceendpoint",
            name="key",
            field=dashboard.models.sealed.SealedTextField(blank=True, default=""),
        ),
        migrations.AlterField(
            model_name="secret",
            name="value",
            field=dashboard.models.sealed.SealedTextField(),
        ),
        migrations.RunPython(seal, migrations.RunPython.noop),
    ]
