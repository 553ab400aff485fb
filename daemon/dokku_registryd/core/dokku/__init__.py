"""Dokku's rules: properties, apps, deploys, and the form of its commands."""
