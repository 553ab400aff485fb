"""The Docker Engine; its doors are `docker_engine`, `engine_socket`, `push_way`."""
