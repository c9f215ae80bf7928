#!/bin/bash
# Makes documents.tar.gz: the jobs of a version that stored them in FerretDB, with a job in each state and some with few or
# with all fields, as a kill left them. list.json beside it is what that version answered to a list of them all.
#
#   make.sh PROGRAM    PROGRAM is a bakta-web of commit 74beefe or before; needs curl, jq and tar
set -euo pipefail
program=$(realpath "$1")
cd "$(dirname "$0")"
data=$(mktemp -d)
pid=
trap 'kill $pid 2>/dev/null || true; rm -rf "$data"' EXIT

# serve NAME=VALUE... starts a backend with these variables, and sets pid and api.
serve() {
	rm -f "$data/url"
	env "$@" "$program" local --data "$data/data" --listen 127.0.0.1:0 --bakta stand-in >"$data/url" &
	pid=$!
	until [ -s "$data/url" ]; do sleep 0.1; done
	api=$(cat "$data/url")/api/v2
}
stop() { kill "-$1" "$pid"; wait "$pid" || true; }

# create NAME makes a job in job.json, upload FIELD FILE sends one of its files, start CONFIG starts it.
create() { curl -sfX POST "$api/job/init" -d "{\"name\":$(jq -n --arg n "$1" '$n'),\"workflow_kind\":\"bakta\"}" >"$data/job.json"; }
upload() { curl -sfX PUT --data-binary "@$2" "$(jq -r ".uploads[] | select(.upload_kind == \"$1\") | .url" "$data/job.json")"; }
start() { curl -sfX POST "$api/job/submit" -d "{\"job\":$(job),\"workflow_kind\":\"bakta\",\"config\":$1}" >"$data/answer.json"; }
job() { jq -c .job "$data/job.json"; }
state() { curl -sfX POST "$api/job/list" -d "{\"jobs\":[$(job)]}" | jq -r '.jobs[0].status // "not_found"'; }
until_state() { until [ "$(state)" = "$1" ]; do sleep 0.1; done; }
note() { printf '%s\t%s\t%s\n' "$1" "$(jq -r .job.job_id "$data/job.json")" "$(jq -r .job.secret "$data/job.json")" >>"$data/jobs.tsv"; }

printf '>contig_1 [topology=circular]\n%s\n' \
	TTGACATTTTCCTAGGAGGTTAACAATGAAACGCATTAGCACCACCATTACCACCACCATCACCATTACCACAGGTAACGGTGCGGGCTGA >"$data/genome.fna"

serve BAKTA_STAND_IN_STEP_DELAY=0ms
create 'E. coli "K-12" – 大腸菌 🧬 \ </b>'
upload genome_fasta "$data/genome.fna"
start '{"genus":"Escherichia","strain":"K-12 \"é\"","complete_genome":true}'
until_state successful
note succeeded
create ''
note deleting
curl -sfX DELETE "$api/job/delete?job_id=$(jq -r .job.job_id "$data/job.json")&secret=$(jq -r .job.secret "$data/job.json")" >/dev/null
stop TERM

serve BAKTA_STAND_IN_STEP_DELAY=0ms BAKTA_STAND_IN_FAIL=error
create 'fails'
upload genome_fasta "$data/genome.fna"
start '{}'
until_state error
note failed
stop TERM

serve BAKTA_STAND_IN_STEP_DELAY=1h
create 'runs'
upload genome_fasta "$data/genome.fna"
start '{"locus_tag":"ABC"}'
until_state running
note running
create 'waits'
upload genome_fasta "$data/genome.fna"
start '{}'
note submitted
stop KILL # the job that runs has a second run after the next start

serve BAKTA_STAND_IN_STEP_DELAY=1h
create 'was made'
note created
sleep 2 # until the job runs again
jq -Rn '{jobs: [inputs | split("\t") | {job_id: .[1], secret: .[2]}]}' "$data/jobs.tsv" >"$data/list.json"
curl -sfX POST "$api/job/list" -d "@$data/list.json" |
	jq --slurpfile asked "$data/list.json" --rawfile states "$data/jobs.tsv" '{
		request: $asked[0],
		answer: .,
		states: ($states | split("\n") | map(select(. != "") | split("\t") | {(.[1]): .[0]}) | add)}' >list.json
stop KILL # with the database's log beside it, which the next start has to read

tar -C "$data/data" --owner=0 --group=0 --exclude='*.sock' --exclude='*-shm' -czf documents.tar.gz documents
ls -l documents.tar.gz
