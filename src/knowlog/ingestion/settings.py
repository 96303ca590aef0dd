"""Settings of ingestion."""

from pydantic import BaseModel, ConfigDict, Field


class ParsingSettings(BaseModel):
    """What one file may cost while it is turned into text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_s: float = Field(
        default=60.0, gt=0, le=3600, description="Longest time that reading one file may take."
    )
    memory_mb: int = Field(
        default=1024, ge=512, le=65536, description="Most memory that reading one file may map."
    )
    max_file_mb: int = Field(default=200, ge=1, le=4096, description="Largest file that is read.")
    max_chars: int = Field(
        default=20_000_000, ge=1000, description="Most characters of text that one file may hold."
    )
    max_pages: int = Field(
        default=5_000, ge=1, description="Most pages, slides or sheets that one file may have."
    )
    max_chunks: int = Field(
        default=20_000, ge=1, description="Most chunks that one document may be cut into."
    )
    max_unpacked_mb: int = Field(
        default=512, ge=1, description="Most bytes that a packed format may unpack to."
    )
    concurrency: int = Field(default=2, ge=1, le=64, description="Files read at the same time.")
    idle_s: float = Field(
        default=30.0, gt=0, description="After this long without a file the reading process ends."
    )
