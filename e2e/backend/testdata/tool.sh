# Plays Bakta: the stand-in, which does what the job's strain says. The strain "after-30" takes 30 seconds longer.
case "$*" in
*--strain=fail-*) s="${*##*--strain=fail-}"; export BAKTA_STAND_IN_FAIL="${s%% *}" ;;
*--strain=after-*) s="${*##*--strain=after-}"; sleep "${s%% *}" ;;
esac
export BAKTA_STAND_IN_STEP_DELAY=1ms
exec /bakta-stand-in "$@"
