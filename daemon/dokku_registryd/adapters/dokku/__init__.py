"""Dokku's files, folders, plugins and locks. One format or folder a module."""
