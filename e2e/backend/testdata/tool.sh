# Plays the programs of all stages: the stand-in, which does what the job's strain says. The strain "after-30" takes 30
# seconds longer. Baktfold isn't told a strain; it stands in the annotation that it goes on with.
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
esac
export BAKTA_STAND_IN_STEP_DELAY=1ms
exec /bakta-stand-in "$@"
