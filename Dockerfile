# syntax=docker/dockerfile:1
FROM python:3.11-slim-trixie AS build

ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never
RUN pip install --no-cache-dir --disable-pip-version-check uv==0.13.9
WORKDIR /app

# Two layers: the pinned dependencies, which change seldom, and our own code.
COPY pyproject.toml uv.lock ./
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev --extra registry --extra postgres --extra webhook --extra slack --extra apprise --extra oidc --no-install-project

COPY README.md LICENSE ./
COPY schemas schemas
COPY processors processors
COPY sinks sinks
COPY gateway gateway
COPY streams streams
COPY bellbuoy bellbuoy
RUN --mount=type=cache,target=/root/.cache/uv uv sync --locked --no-dev --extra registry --extra postgres --extra webhook --extra slack --extra apprise --extra oidc --no-editable


FROM python:3.11-slim-trixie

RUN groupadd --gid 10001 bellbuoy \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin bellbuoy \
    && install --directory --owner bellbuoy --group bellbuoy /var/lib/bellbuoy
COPY --from=build /app/.venv /app/.venv

# The journal's compiled code is made here, for any processor of the architecture, so that no start has to wait for it
# (some 15 seconds). The cache must be writable: a new volume on the data directory is filled from the image, and one
# that stays from an older image is brought up to date by the first start.
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 BELLBUOY_DATA=/var/lib/bellbuoy \
    NUMBA_CACHE_DIR=/var/lib/bellbuoy/compiled NUMBA_CPU_NAME=generic NUMBA_CPU_FEATURES=
WORKDIR /var/lib/bellbuoy
USER 10001:10001
RUN python -m streams.journal.warm_up
VOLUME /var/lib/bellbuoy
ENTRYPOINT ["bellbuoy"]
