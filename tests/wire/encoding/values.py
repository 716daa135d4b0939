"""Hypothesis strategies for the values of bodies."""

from __future__ import annotations

from hypothesis import strategies as st

from chatbooth_grpc.booth.model import MAX_KIND, ContentKind, Gap, GapReason, Message, Opening, OutgoingMessage

numbers = st.integers(0, (1 << 64) - 1)
texts = st.text(max_size=20)
ids = st.binary(min_size=16, max_size=16)
kinds_and_contents = st.tuples(st.just(ContentKind.TEXT), texts.map(str.encode)) | st.tuples(
    st.integers(0, MAX_KIND).filter(lambda kind: kind != ContentKind.TEXT), st.binary(max_size=20)
)
outgoing_messages = st.builds(
    lambda recipient, message_id, kind_and_content: OutgoingMessage(recipient, message_id, *reversed(kind_and_content)),
    *(texts, ids, kinds_and_contents),
)
gaps = st.builds(Gap, numbers, numbers, st.just(GapReason.RETENTION))
openings = st.builds(Opening, ids, numbers, numbers, numbers, st.none() | gaps)
messages = st.builds(
    lambda *fields: Message(*fields[:-1], *reversed(fields[-1])),
    *(numbers, texts, numbers, ids, numbers, kinds_and_contents),
)
