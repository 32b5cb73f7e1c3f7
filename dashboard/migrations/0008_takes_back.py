"""Which activation an activation takes back."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("dashboard", "0007_failing_nodes"),
    ]

    operations = [
        migrations.AddField(
            model_name="activation",
            name="takes_back",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="dashboard.activation",
            ),
        ),
    ]
