"""Lists made in advance, one a user and version; they live beside the catalogue, which they are made of."""

from __future__ import annotations

from django.db import models

from recflow.data.records import MAX_ID


class PreparedList(models.Model):
    """What a version recommends to a user.

    ``item_ids`` and ``scores`` are JSON lists, best first. ``digest`` says what the list was made of: the
    drawing, the data and the models; as long as that stays the same, so does the list. With Redis the first
    two are empty, and what they would hold is there (dashboard/list_bodies.py).
    """

    pk = models.CompositePrimaryKey("version", "user_id")
    version = models.CharField(max_length=64)
    user_id = models.CharField(max_length=MAX_ID)
    item_ids = models.TextField()
    scores = models.TextField()
    made_at_us = models.BigIntegerField()
    digest = models.CharField(max_length=32)

    class Meta:
        db_table = "catalogue_prepared_list"

    def __str__(self) -> str:
        return f"{self.version} for {self.user_id}"


class WantedList(models.Model):
    """A user who was answered without a list of their own, and is to have one soon."""

    user_id = models.CharField(max_length=MAX_ID, primary_key=True)
    asked_at_us = models.BigIntegerField()

    class Meta:
        db_table = "catalogue_wanted_list"

    def __str__(self) -> str:
        return self.user_id


class ListVersion(models.Model):
    """One row that is counted up whenever prepared lists are written or taken away.

    Taking its lock puts the writers in order, so that a larger number has always seen all the smaller ones.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    number = models.BigIntegerField(default=0)

    class Meta:
        db_table = "catalogue_list_version"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_list_version")]

    def __str__(self) -> str:
        return str(self.number)
