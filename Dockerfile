# Headscope on a CPU: docker build -t headscope . && docker run --rm -p 7860:7860 headscope
FROM python:3.12-slim

RUN useradd --create-home reader && install --directory --owner reader /home/reader/app
WORKDIR /home/reader/app

# A quarter of the size: --build-arg TORCH_INDEX=the address that PyTorch's install page gives for pip and CPU
ARG TORCH_INDEX
RUN if [ -n "$TORCH_INDEX" ]; then pip install --no-cache-dir torch==2.13.0 --index-url "$TORCH_INDEX"; fi
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt

COPY --chown=reader . .
USER reader
ENV PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --start-period=60s --interval=30s --timeout=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:7860/robots.txt', timeout=5)"]
CMD ["python", "app.py", "--host", "0.0.0.0"]
