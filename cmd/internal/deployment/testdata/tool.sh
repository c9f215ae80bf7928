# Runs the stand-in in place of Bakta in the tests of the deployment, controlled by the strain of the job.
case "$*" in
*--strain=fail-*) s="${*##*--strain=fail-}"; export BAKTA_STAND_IN_FAIL="${s%% *}" ;;
*--strain=disk-full*) dd if=/dev/zero of="$TMPDIR/full" bs=1M count=150; sleep 3600 ;;
*--strain=slower*) export BAKTA_STAND_IN_STEP_DELAY=2s ;;
*--strain=slow*) export BAKTA_STAND_IN_STEP_DELAY=700ms ;;
*--strain=paced*) ;; # its default: 100 ms for each step
*) export BAKTA_STAND_IN_STEP_DELAY=1ms ;;
esac
exec /bakta-stand-in "$@"
