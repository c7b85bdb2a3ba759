# The app with the embedded model; point it at a served model with CONSILIUM_MODEL.
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends make fonts-dejavu-core \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home consilium \
    && install -d -o consilium /app /data
WORKDIR /app
USER consilium
COPY --chown=consilium . .
RUN make install && .venv/bin/pip install -q -e '.[postgres]'
ENV CONSILIUM_HOME=/data CONSILIUM_HOST=0.0.0.0
VOLUME /data
EXPOSE 7860
# Listening beyond loopback needs CONSILIUM_LOGIN=USER:PASS; without it the container says so and stops.
CMD [".venv/bin/python", "-m", "ui", "serve"]
