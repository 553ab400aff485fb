"""The Docker Engine. From outside only `docker_engine` and `push_way` are imported."""
