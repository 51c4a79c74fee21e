"""The Jupyter side: the server extension, its REST handlers and what it tells kernels."""
