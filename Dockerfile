# An image of the chat server. docs/operations.md says how to run it.
ARG PYTHON=docker.io/library/python:3.13-slim-bookworm

FROM ${PYTHON} AS build
# The parts of the server that need another package: tls, metrics, reflection, traces.
ARG EXTRAS=tls,metrics
WORKDIR /source
RUN python -m venv /opt/chatbooth
COPY pyproject.toml hatch_build.py README.md LICENSE ./
COPY proto proto
COPY scripts/gen_protos.py scripts/gen_protos.py
COPY chatbooth_grpc chatbooth_grpc
RUN /opt/chatbooth/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheel . \
    && /opt/chatbooth/bin/pip install --no-cache-dir "$(echo /wheel/*.whl)[${EXTRAS}]"

FROM ${PYTHON}
RUN groupadd --gid 10001 chatbooth \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin chatbooth \
    && install --directory --owner=10001 --group=10001 --mode=0700 /data /data/backups
COPY --from=build /opt/chatbooth /opt/chatbooth
# Each variable is a flag of the server. A container has addresses of its own, and its ports are closed until somebody
# publishes them.
ENV PATH=/opt/chatbooth/bin:$PATH \
    CHATBOOTH_STORE=/data/chatbooth.db \
    CHATBOOTH_HOST=0.0.0.0 \
    CHATBOOTH_TLS=auto
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 50051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=1m --retries=3 CMD ["chatbooth-admin", "--quiet", "ping"]
ENTRYPOINT ["chatbooth-server"]
