# One image for every service: the program `raclette` is a tracker, a peer, or a health check.
#
#   docker build -t raclette:local .                         builds the program in a container
#   cargo build --release && docker build --target ready .   takes the program that is built already
#
# The two base images can be replaced, for example by a mirror's: --build-arg BUILD_IMAGE=... --build-arg RUNTIME_IMAGE=...
# The build in a container has no repository: --build-arg RACLETTE_COMMIT=$(git rev-parse HEAD) says which commit it is.
# The image holds the program, the C library it was built with, and nothing else, no shell either; it has some 33 MB.
ARG BUILD_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=scratch

# What every image has: an unprivileged user, a place for the data, a health check.
FROM ${RUNTIME_IMAGE} AS base
COPY --chown=10001:10001 deploy/image/ /
USER 10001:10001
VOLUME /data
# Inside a container one has to listen on every address; Docker decides who reaches it.
ENV RACLETTE_LISTEN=0.0.0.0 RACLETTE_DATA_DIR=/data RACLETTE_PORT=7700
EXPOSE 7700
HEALTHCHECK --interval=5s --timeout=4s --start-period=20s CMD ["raclette", "healthcheck"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["raclette"]
CMD ["--help"]

# For machines that cannot pull the build image. The program must fit the C library of the runtime image. This stage
# comes before the next two, because the older builder builds every stage above its target.
FROM base AS ready
COPY target/release/devnet /usr/local/bin/raclette

FROM ${BUILD_IMAGE} AS build
WORKDIR /source
ARG RACLETTE_COMMIT=
COPY . .
RUN cargo build --release --locked --package devnet
# What the program is linked with, and how names of other containers are resolved.
RUN mkdir -p /image/etc /image/tmp && chmod 1777 /image/tmp \
    && for file in $(ldd target/release/devnet | grep -oE '/[^ ]+\.so[^ ]*' | sort -u); do \
        mkdir -p "/image$(dirname "$file")" && cp -L "$file" "/image$file"; done \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf

FROM base AS runtime
COPY --from=build /image/ /
COPY --from=build /source/target/release/devnet /usr/local/bin/raclette
