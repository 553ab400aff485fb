"""The registry on loopback that the Engine pushes to. From outside only `relay`."""
