"""all-MiniLM-L6-v2 on this machine's CPU, without a network connection."""

from collections.abc import Sequence
from pathlib import Path

from knowlog.embedding.adapters.bert.embedder import BertEmbedder, longest_first, profile_of, threads_of
from knowlog.embedding.adapters.bert.session import Session
from knowlog.embedding.adapters.minilm.directions import projected
from knowlog.embedding.adapters.minilm.network import IDENTITY, network_file
from knowlog.embedding.model import EmbeddingProfile
from knowlog.embedding.settings import EmbeddingSettings
from knowlog.embedding.tokens import ReadTokens, Shelf, compact


class MiniLMEmbedder(BertEmbedder):
    """A BertEmbedder that shows what it makes of each token, too."""

    def __init__(self, session: Session, profile: EmbeddingProfile, threads: int, shelf_bytes: int) -> None:
        super().__init__(session, profile, threads)
        self._shelf = Shelf(shelf_bytes)

    async def embed_tokens(self, texts: Sequence[str], owner: str) -> ReadTokens:
        """See TokenEmbedder. What was read before the caller is cancelled is kept."""
        found = [self._shelf.get(owner, text) for text in texts]
        missing = [place for place, vectors in enumerate(found) if vectors is None]
        ids = await self._ids([texts[place] for place in missing])

        def read(index: int) -> None:
            vectors = compact(projected(self._session.tokens(ids[index])[1:-1]))
            self._shelf.put(owner, texts[missing[index]], vectors)
            found[missing[index]] = vectors

        await self._documents.run(read, longest_first(ids))
        return ReadTokens([each for each in found if each is not None], sum(map(len, ids)))


def open_minilm(settings: EmbeddingSettings, data_dir: Path) -> MiniLMEmbedder:
    """Open the offline model; its network is made in `data_dir` at the first call. Raises Misconfigured."""
    profile = profile_of(settings, IDENTITY)
    shelf_bytes = settings.token_shelf_mb * 1_000_000
    return MiniLMEmbedder(Session(network_file(data_dir)), profile, threads_of(settings), shelf_bytes)
