"""Users, items and feedback as rows: the truth that snapshots are made of.

Outside ids are kept once, in User and Item; feedback names them by number. Times are microseconds since
1970 in UTC, because a timestamp column would round, convert and be parsed millions of times for nothing.
"""

from __future__ import annotations

from django.db import models

from recflow.data.records import MAX_ID
from recflow.data.types import NO_TIME

#: Names of the models that live in the catalogue database, as Django writes them in migrations.
CATALOGUE_MODELS = {
    "user",
    "item",
    "feedbacktype",
    "feedback",
    "catalogueversion",
    "cataloguechange",
    "importprogress",
    "preparedlist",
    "wantedlist",
    "listversion",
}


class User(models.Model):
    """Somebody who gives feedback; ``labels`` is JSON text."""

    number = models.AutoField(primary_key=True)
    user_id = models.CharField(max_length=MAX_ID, unique=True)
    labels = models.TextField(default="null")
    comment = models.TextField(default="")

    class Meta:
        db_table = "catalogue_user"

    def __str__(self) -> str:
        return self.user_id


class Item(models.Model):
    """Something that can be recommended; ``labels`` and ``categories`` are JSON texts."""

    number = models.AutoField(primary_key=True)
    item_id = models.CharField(max_length=MAX_ID, unique=True)
    is_hidden = models.BooleanField(default=False)
    categories = models.TextField(default="null")
    time_us = models.BigIntegerField(default=NO_TIME)
    labels = models.TextField(default="null")
    comment = models.TextField(default="")

    class Meta:
        db_table = "catalogue_item"
        indexes = [models.Index(fields=["-time_us", "item_id"], name="item_by_time")]

    def __str__(self) -> str:
        return self.item_id


class FeedbackType(models.Model):
    """The name of a kind of feedback, such as "like"."""

    number = models.SmallAutoField(primary_key=True)
    name = models.CharField(max_length=MAX_ID, unique=True)

    class Meta:
        db_table = "catalogue_feedback_type"

    def __str__(self) -> str:
        return self.name


class Feedback(models.Model):
    """One fact: this user, this item, this type.

    The numbers are plain columns and no foreign keys: checking three parents a row would double the time of
    an import, and rows are only ever written together with their parents (dashboard/catalogue/writing.py).
    """

    pk = models.CompositePrimaryKey("user_number", "item_number", "type_number")
    user_number = models.IntegerField()
    item_number = models.IntegerField()
    type_number = models.SmallIntegerField()
    value = models.FloatField(default=0.0)
    time_us = models.BigIntegerField(default=NO_TIME)
    updated_us = models.BigIntegerField(default=NO_TIME)
    comment = models.TextField(default="")

    class Meta:
        db_table = "catalogue_feedback"
        indexes = [models.Index(fields=["item_number"], name="feedback_by_item")]

    def __str__(self) -> str:
        return f"user {self.user_number}, item {self.item_number}, type {self.type_number}"


class CatalogueVersion(models.Model):
    """One row that every write to the catalogue counts up, in the same transaction.

    ``origin`` is drawn by the first write, so that a snapshot of a database that was deleted is never taken
    for one of its successor.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    origin = models.CharField(max_length=32)
    number = models.BigIntegerField(default=0)

    class Meta:
        db_table = "catalogue_version"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_catalogue_version")]

    def __str__(self) -> str:
        return f"{self.origin}-{self.number}"


class CatalogueChange(models.Model):
    """An id that a version of the catalogue touched; dashboard/catalogue/changes.py tells what for.

    ``kind`` is user, item, emptied or everything; ``name`` the outside id.
    """

    pk = models.CompositePrimaryKey("version", "kind", "name")
    version = models.BigIntegerField()
    kind = models.CharField(max_length=12)
    name = models.CharField(max_length=MAX_ID)

    class Meta:
        db_table = "catalogue_change"

    def __str__(self) -> str:
        return f"{self.version}: {self.kind} {self.name}"


class ImportProgress(models.Model):
    """How far the import of a file has come, written in the transaction of each batch.

    ``fingerprint`` is of the file's content, so a renamed file goes on and a changed one starts anew. The row
    is gone when the import is done: importing the same file again overwrites it with the same.
    """

    fingerprint = models.CharField(max_length=80, primary_key=True)
    path = models.TextField()
    position = models.BigIntegerField(default=0)
    rejected = models.BigIntegerField(default=0)

    class Meta:
        db_table = "catalogue_import"

    def __str__(self) -> str:
        return self.path
