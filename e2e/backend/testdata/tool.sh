# Runs the stand-in in place of the programs of all stages, controlled by the strain of the job: "after-30" makes it take 30 seconds
# longer, and "until-told" makes it wait until the file /tmp/go exists, and then run that. Baktfold has no option for the strain; the
# script reads it from the annotation that is its input.
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
until-told)
	until [ -e /tmp/go ]; do sleep 1; done
	echo "told: $(sh /tmp/go 2>&1)"
	;;
esac
export BAKTA_STAND_IN_STEP_DELAY=1ms
exec /bakta-stand-in "$@"
