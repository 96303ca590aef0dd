"""What the documents room wants to know. Environment: KNOWLOG_DOCUMENTS_*."""

from pydantic import BaseModel, ConfigDict, Field


class DocumentsSettings(BaseModel):
    """Where original bytes are kept, and how much of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    blobs: str = Field(
        "directory",
        description='Where originals are kept: "directory" (in the data directory), a path, or s3://bucket/prefix, with'
        " AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for other stores than Amazon's, AWS_ENDPOINT.",
    )
    max_upload_mb: int = Field(100, ge=1, le=10_000, description="A larger upload is refused.")
    max_waiting: int = Field(
        100_000,
        ge=1,
        description="A tenant with so many documents waiting to be indexed uploads no more: 429.",
    )
    min_free_mb: int = Field(
        500, ge=0, description="With less free on the disk of the originals, uploads are refused: 507."
    )
    upload_keep_hours: int = Field(
        48,
        ge=1,
        le=720,
        description="An upload in pieces that nobody goes on with for so long is given up, with what came of it.",
    )
    max_metadata_kb: int = Field(16, ge=1, le=1024, description="Larger metadata of one document is refused.")

    @property
    def max_upload_bytes(self) -> int:
        """The largest upload in bytes."""
        return self.max_upload_mb * 1024 * 1024
