# Plays Bakta in the tests of the deployment: the stand-in, which does what the job's strain says.
case "$*" in
*--strain=fail-*) s="${*##*--strain=fail-}"; export BAKTA_STAND_IN_FAIL="${s%% *}" ;;
*--strain=disk-full*) dd if=/dev/zero of="$TMPDIR/full" bs=1M count=150; sleep 3600 ;;
*--strain=slow*) export BAKTA_STAND_IN_STEP_DELAY=700ms ;;
*) export BAKTA_STAND_IN_STEP_DELAY=1ms ;;
esac
exec /bakta-stand-in "$@"
