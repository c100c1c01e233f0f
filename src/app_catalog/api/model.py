"""What the JSON of this interface is made of: nothing that is not named, nothing that is nearly of a type."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Model(BaseModel):
    """An object. What has no such field, or another type, is refused. Validators are built at the first use: commands
    that serve nothing start without them."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, defer_build=True)


class Query(BaseModel):
    """Parameters of an address: text, so numbers are read from it."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Paging(Query):
    page: int = Field(default=1, ge=1, le=10_000)
    limit: int = Field(default=50, ge=1, le=100, description="Entries of a page.")

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit


def _in_utc(at: datetime) -> datetime:
    """Rows that are meant for pages have times in UTC without a zone."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_in_utc)]


class BothLanguages(Model):
    fr: str = ""
    en: str = ""


class Problem(Model):
    """What is wrong with one entry."""

    pointer: str = Field(description="JSON pointer (RFC 6901) into what was sent, or into the application.")
    detail: str


Entry = TypeVar("Entry", bound=Model)


class Page(Model, Generic[Entry]):
    total: int = Field(description="Over all pages.")
    next: str | None = Field(description="Address of the following page, while there is one.")
    items: tuple[Entry, ...]


def texts(given: Any) -> BothLanguages:
    """A mapping from language to text."""
    return BothLanguages(fr=given.get("fr", ""), en=given.get("en", ""))
