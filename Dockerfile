# docker build -t rectifier . && docker run --rm -p 8080:8080 rectifier
# The image holds the binary, the libraries it loads and nothing else: no shell, no package manager.

FROM debian:12-slim AS build
# the Makefile's PACKAGES, and what gcc needs without recommended packages
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
        gcc libc6-dev make pkg-config libmicrohttpd-dev libjansson-dev zlib1g-dev nettle-dev \
        libopenblas-serial-dev libprotobuf-c-dev protobuf-c-compiler \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Makefile ./
COPY core core
COPY proto proto
COPY server server
COPY deploy deploy
RUN make -j"$(nproc)" build/rectifier \
    && deploy/closure.sh build/rectifier /image \
    && strip /image/rectifier

FROM scratch
# `make image` gives all three; the version is the Makefile's.
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="rectifier" \
      org.opencontainers.image.description="Inference server for Conv/Linear-BatchNorm-ReLU networks that shows which neurons are awake" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.created="$CREATED"
COPY --from=build /image/ /
ENV RECTIFIER_HOST=0.0.0.0
USER 65532:65532
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["/rectifier", "health"]
ENTRYPOINT ["/rectifier"]
CMD ["serve"]
