"""GRU and LSTM language models: an embedding, recurrent layers, the logits of the next token.

Shapes: B streams, T tokens, E numbers of a token, H hidden units, V tokens in the vocabulary.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from edgeseq.models.cells import KINDS, recurrent_spec
from edgeseq.models.config import Inputs, ModelConfig
from edgeseq.models.embedding import TokenEmbedding
from edgeseq.models.lm.head import TokenHead
from edgeseq.models.model import LanguageModel, Leaf, State, array
from edgeseq_export.layers import Pool
from edgeseq_export.spec import SeqSpec

SPREAD = 1.0  # of the tokens' rows at first, one of which comes in alone: learns faster than less


def build(config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> RecurrentLanguageModel:
    """A new model, its weights drawn from torch's global generator."""
    return RecurrentLanguageModel(config, inputs, labels)


class RecurrentLanguageModel(LanguageModel):
    """ids [B, T, 1] int64 -> logits [B, T, V]; the state is h [layers, B, H], of an LSTM c as well.

    Dropout is on the tokens' rows, between layers and in front of the logits (Zaremba et al. 2014, arXiv
    1409.2329, section 3.2).
    """

    def __init__(self, config: ModelConfig, inputs: Inputs, labels: tuple[str, ...]) -> None:
        super().__init__()
        self.config, self.labels = config, labels
        self.embedding = TokenEmbedding(inputs.ids, config.embedding, config.embedding_dropout, SPREAD)
        self.recurrent = KINDS[config.family][0](
            config.embedding,
            config.hidden,
            config.layers,
            batch_first=True,
            dropout=config.dropout if config.layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = TokenHead(config.hidden, len(labels), tied=config.tied)

    def forward(self, ids: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """As `LanguageModel.forward`."""
        given = state[0] if state is not None and len(state) == 1 else state
        rows, carried = self.recurrent(self.embedding(ids), given)
        logits = cast(Tensor, self.head(self.dropout(rows), self.embedding))
        return logits, carried if isinstance(carried, tuple) else (carried,)

    def to_spec(self, leaf: Leaf = array) -> SeqSpec:
        """The same model described: embedding, gru0 (or lstm0), gru1 ..., pool, head."""
        layers = (
            self.embedding.to_spec("embedding", leaf),
            *recurrent_spec(self.config, self.recurrent, leaf),
            Pool("pool", "last"),
            self.head.to_spec(self.embedding, leaf),
        )
        return SeqSpec(1, self.labels, layers, carries=True)
