#!/bin/sh
# Answers `dokku registry:*` and `dokku registryd:*`, and adds our lines to `dokku help`.
# Arguments: COMMAND ARGUMENT.... It ends with the status of its command, and with 10 ("not
# mine") for commands of other plugins. Dokku calls it for every command that no
# subcommand answers, so there are no subcommands/ and one `case` here: it starts nothing
# for others.
set -e
[ -z "$DOKKU_TRACE" ] || set -x
# shellcheck source=functions disable=SC1091
. "${0%/*}/functions"

not_mine=${DOKKU_NOT_IMPLEMENTED_EXIT:-10}

case $1 in
  help)
    # Dokku's own plugin prints its lines while it is enabled. Only the command line of the
    # caller has `--all`; all plugins look for it there.
    if ! grep -qs -e --all "/proc/$PPID/cmdline"; then
      is_companion || echo '    registry, Manage registry settings for an app'
      echo '    registryd, Manage pushes and healing of released images'
      exit 0
    fi
    is_companion || printf '    %s, %s\n' \
      'registry:login [--global|--password-stdin] [<app>] <server> <username> [<password>]' \
      'Login to a docker registry' \
      'registry:logout [--global] [<app>] <server>' \
      'Logout from a docker registry' \
      'registry:report [<app>] [<flag>]' \
      'Displays a registry report for one or more apps' \
      'registry:set <app>|--global <property> (<value>)' \
      'Set or clear a registry property for an app'
    printf '    %s, %s\n' \
      'registryd:doctor [--format text|json] [<app>]' \
      'Find problems that would break a deploy' \
      'registryd:drill [--format text|json] [<app>]' \
      'Ask registries whether all images would come back' \
      'registryd:fleet [--format text|json] [<app>]' \
      'List which hosts run which releases' \
      'registryd:heal [--dry-run] [--format text|json] [<app>]' \
      'Restore missing images now' \
      'registryd:health [--format text|json]' \
      'Check whether the service is ready' \
      'registryd:history [--failed] [--format text|json] [--limit <n>] [<app>]' \
      'List finished jobs from newest to oldest' \
      'registryd:hold [--format text|json] [--off] [--reason <text>] <app> [<number>]' \
      'Keep what an app runs or keep one of its releases' \
      'registryd:metrics [--all]' \
      'Print metrics in Prometheus text format' \
      'registryd:promote [--dry-run] [--format text|json] <app> <target> [<number>]' \
      'Have another app run a release of this one' \
      'registryd:prune [--dry-run] [--format text|json] [--yes] [<app>]' \
      'Remove old numbers from registries' \
      'registryd:push <app>' \
      'Ensure that the registry has the deployed release' \
      'registryd:releases [--format text|json] [<app>] [<number>]' \
      'List releases or show all of one' \
      'registryd:report [<app>] [<flag>]' \
      'Displays a registryd report for one or more apps' \
      'registryd:restore [--dry-run] [--format text|json] [--jobs <n>]' \
      'Bring all images back on a host restored from its backup' \
      'registryd:rollback [--dry-run] [--format text|json] <app> [<number>]' \
      'Release again what ran before and deploy it' \
      'registryd:set <app>|--global <property> (<value>)' \
      'Set or clear a registryd property for an app' \
      'registryd:standby [--format text|json]' \
      'List releases of other hosts that are kept here' \
      'registryd:status [--format text|json] [--watch]' \
      'Show whether all is well and what is not'
    ;;
  registry | registry:*)
    ! is_companion || exit "$not_mine"
    find_program || dokku_log_fail "Cannot answer $1: there is no program $REPLY. Install dokku-registryd again"
    # --trace would show the arguments, and one may be a password.
    { set +x; } 2>/dev/null
    exec "$REPLY" "$@"
    ;;
  registryd | registryd:*)
    find_program || dokku_log_fail "Cannot answer $1: there is no program $REPLY. Install dokku-registryd again"
    # The first argument tells the program that Dokku calls it, so users of Dokku cannot
    # reach its own options, such as --set.
    exec "$REPLY" "$@"
    ;;
  *)
    exit "$not_mine"
    ;;
esac
