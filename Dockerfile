# SandTrap's own image: all containers of docker-compose.yml run from it. scripts/build_images.sh
# builds it, also where no registry can be reached.
ARG BUILD_BASE=debian:12-slim
ARG RUNTIME_BASE=debian:12-slim

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY . .
# containers/programs/ may bring programs that this machine has built already; else they are built here.
# moduli: the groups of openssh-server for diffie-hellman-group-exchange.
RUN set -eu; mkdir -p /out/guest; \
    if [ -x containers/programs/sandtrap ]; then \
      cp containers/programs/sandtrap containers/programs/moduli /out/; \
      cp containers/programs/init containers/programs/login /out/guest/; \
    else \
      tools/install-deps run; tools/build release; strip build/release/sandtrap; \
      cp build/release/sandtrap /out/; cp build/release/guest/init build/release/guest/login /out/guest/; \
      apt-get download openssh-server; dpkg -x openssh-server_*.deb /out/openssh; \
      cp /out/openssh/etc/ssh/moduli /out/; \
    fi

FROM ${RUNTIME_BASE}
ARG VERSION=unknown
LABEL org.opencontainers.image.title="SandTrap" \
      org.opencontainers.image.description="SSH honeypot with real, isolated machines" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.licenses="MIT"
COPY containers/runtime-packages.txt /tmp/
RUN set -eu; packages=$(grep -v '^#' /tmp/runtime-packages.txt); \
    if ! dpkg -s $packages >/dev/null 2>&1; then \
      apt-get update; apt-get install -y --no-install-recommends $packages; rm -rf /var/lib/apt/lists/*; \
    fi; \
    rm /tmp/runtime-packages.txt; install -d -m 711 /run/sandtrap; install -d -m 1770 -g 61802 /var/lib/sandtrap; mkdir -p /etc/sandtrap
COPY --from=build /out/sandtrap /usr/bin/sandtrap
COPY --from=build /out/moduli /etc/ssh/moduli
COPY --from=build /out/guest /usr/share/sandtrap/images/programs
COPY containers/config.ubuntu-22.04.yaml /etc/sandtrap/config.yaml
# docker-compose.yml asks for the role of each container.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["sandtrap", "status", "--brief"]
ENTRYPOINT ["/usr/bin/sandtrap"]
CMD ["serve"]
