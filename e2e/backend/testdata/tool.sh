# Plays the programs of all stages: the stand-in, which does what the job's strain says. The strain "after-30" takes 30
# seconds longer, and "until-told" as long as there is no file /tmp/go. Baktfold isn't told a strain; it stands in the
# annotation that it goes on with.
strain=
case "$*" in
"baktfold "*)
	annotation="${*##*--input=}"
	strain="$(dd if="${annotation%% *}" 2>/dev/null)"
	strain="${strain##*\"strain\":}"
	strain="${strain#*\"}"
	strain="${strain%%\"*}"
	;;
*--strain=*)
	strain="${*##*--strain=}"
	strain="${strain%% *}"
	;;
esac
case "$strain" in
fail-*) export BAKTA_STAND_IN_FAIL="${strain#fail-}" ;;
after-*) sleep "${strain#after-}" ;;
until-told) until [ -e /tmp/go ]; do sleep 1; done ;;
esac
export BAKTA_STAND_IN_STEP_DELAY=1ms
exec /bakta-stand-in "$@"
