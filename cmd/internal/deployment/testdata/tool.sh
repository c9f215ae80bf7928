# Plays Bakta in the tests of the deployment: the stand-in, which does what the job's strain says.
case "$*" in
*--strain=fail-*) s="${*##*--strain=fail-}"; export BAKTA_STAND_IN_FAIL="${s%% *}" ;;
*--strain=slow*) export BAKTA_STAND_IN_STEP_DELAY=700ms ;;
*) export BAKTA_STAND_IN_STEP_DELAY=1ms ;;
esac
exec /bakta-stand-in "$@"
