package main

import (
	"strconv"
	"strings"

	"github.com/ag-computational-bio/bakta-web-backend/lib/option"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// facts are properties of the server that the proto files can't express. `make clients` tests them: it calls a server with
// clients that are generated from the documents, and with a fuzzer that reads them.
type facts struct {
	// words is true if JSON has the names of the proto files, enum values as lower-case words, errors as strings, and
	// status 422 for a JSON body of the wrong form.
	words bool
	// failure describes the body of an error.
	failure object
	// bodies contains the types of responses that are not objects; "" is an empty body.
	bodies map[string]string
	// fields contains properties of fields in addition to their types, by message and name, or by the name of fields in any
	// message.
	fields map[string]object
	// numbers contains the valid values of numbers.
	numbers map[string][]int
}

func factsOf(dir string) (facts, bool) {
	id := object{{"format", "uuid"}}
	secret := object{{"pattern", "^[A-Za-z0-9]{32}$"}}
	name := object{{"maxLength", 1024}} // the limit is in bytes, which JSON Schema can't express
	link := object{{"format", "uri"}}
	natural := object{{"minimum", 0}}
	switch dir {
	case "proto/v1":
		var files object
		for _, kind := range []string{"EMBL", "FAA", "FAAHypothetical", "FFN", "FNA", "GBFF", "GFF3", "JSON", "TSV", "TSVHypothetical",
			"TSVInference",
			"TXTLogs", "PNGCircularPlot", "SVGCircularPlot"} {
			files = files.with(kind, object{{"type", "string"}, {"format", "uri"}})
		}
		return facts{
			failure: object{
				{"type", "object"}, {"description", "What is wrong."},
				{"properties", object{
					{"code", object{{"type", "integer"}, {"format", "int32"}, {"minimum", 1}, {"maximum", 16}, {"description", "The gRPC status code."}}},
					{"message", object{{"type", "string"}, {"description", "What is wrong and what to do."}}},
					{"details", object{
						{"type", "array"},
						{"items", object{
							{"type", "object"},
							{"properties", object{{"@type", object{{"type", "string"}, {"description", "The message of google.rpc."}}}}},
							{"required", []string{"@type"}},
						}},
						{"description", "Empty, but for the refusal by a limit of the caller: then it has RetryInfo, QuotaFailure and ErrorInfo."},
					}},
				}},
				{"required", []string{"code", "message", "details"}},
				{"examples", []object{{{"code", 5}, {"message", "there is no such job"}, {"details", []any{}}}}},
			},
			fields: map[string]object{
				"jobID": id, "FailedJob.jobID": nil, "secret": secret, "InitJobRequest.name": name,
				"uploadLinkFasta": link, "uploadLinkProdigal": link, "uploadLinkReplicons": link,
				"ResultFiles": {{"type", "object"}, {"properties", files}, {"additionalProperties", false}},
				"offset":      natural,
			},
		}.withOptions(func(o option.Option) string { return o.V1 }), true
	case "proto/v2":
		fields := map[string]object{
			"job_id": id, "FailedJob.job_id": nil, "secret": secret, "InitJobRequest.name": name, "url": link,
			"InitJobRequest.batch": {{"pattern", "^([A-Za-z0-9][A-Za-z0-9._-]{0,63})?$"}},
			"JobStateRequest.wait": natural, "ListJobsRequest.page_size": natural, "RerunJobRequest.name": name,
			"RerunJobRequest.request_key": {{"pattern", "^[!-~]{16,128}$"}}, // see job.CheckRequestKey
			"Notify.webhook":              {{"maxLength", 2048}},
			"Notify.email":                {{"maxLength", 254}},
			"DeleteRequest.secret":        {{"minLength", 1}}, // without the job, any text is accepted as its secret
		}
		for _, file := range []string{"json", "tsv", "faa", "hypotheticals_tsv", "embl", "ffn", "fna", "gbff", "gff3", "hypotheticals_faa",
			"inference_tsv",
			"logs_txt", "circular_plot_png", "circular_plot_svg"} {
			fields["ResultFiles."+file] = link
		}
		return facts{
			words: true,
			failure: object{
				{"type", "string"}, {"description", "What is wrong and what to do."}, {"examples", []string{"Job not found"}},
			},
			bodies: map[string]string{"StartJobResponse": "null", "DeleteResponse": ""},
			fields: fields,
		}.withOptions(func(o option.Option) string { return o.Name }), true
	}
	return facts{}, false
}

// withOptions adds the valid values of the table of options. A field that is empty or 0 is not given.
func (f facts) withOptions(field func(option.Option) string) facts {
	f.numbers = make(map[string][]int)
	for _, o := range option.Table() {
		name := field(o)
		switch {
		case name == "":
		case o.Pattern != "":
			f.fields[name] = object{{"pattern", "^(|" + o.Pattern + ")$"}}
		case o.Kind == option.Number && len(o.Choices) > 0:
			values := []int{0}
			for _, c := range o.Choices {
				n, err := strconv.Atoi(c.Value)
				if err != nil {
					panic(err) // a choice of a number
				}
				values = append(values, n)
			}
			f.numbers["JobConfig."+name] = values
		case o.Kind == option.Number:
			f.fields[name] = object{{"minimum", 0}}
		}
	}
	return f
}

// failure is an error that calls return.
type failure struct {
	status      int
	name        string
	description string
	header      string // header of the response, and its meaning
	means       string
	of          func(f facts, method protoreflect.MethodDescriptor, body bool) bool
}

func failures() []failure {
	all := func(facts, protoreflect.MethodDescriptor, bool) bool { return true }
	body := func(_ facts, _ protoreflect.MethodDescriptor, body bool) bool { return body }
	const later = "Seconds to wait before the next attempt."
	return []failure{
		{400, "Refused", "The request, an option or an upload is not valid; or the job's state does not allow the call.", "", "", all},
		{401, "WrongSecret", "The secret is not this job's; or the token is not valid, or missing.", "WWW-Authenticate",
			"A challenge for which browsers don't prompt.", all},
		{403, "NotAllowed", "The token is valid, but its subject may not use this server.", "WWW-Authenticate", "Why, as RFC 6750 has it.", all},
		{404, "NoSuchJob", "The job does not exist, or was deleted.", "", "",
			// Clients of the second version treat a missing job as one that could not be deleted.
			func(f facts, m protoreflect.MethodDescriptor, _ bool) bool {
				return ofOneJob(m) && (m.Name() != "Delete" || !f.words)
			}},
		{405, "WrongMethod", "The path does not have this method.", "Allow", "The methods of the path.", all},
		{408, "TooSlow", "The body arrived too slowly.", "", "", body},
		{409, "StartedBefore", "The job was already started with another configuration.", "", "",
			func(_ facts, m protoreflect.MethodDescriptor, _ bool) bool {
				return m.Input().Fields().ByName("config") != nil
			}},
		{413, "TooLarge", "The body is too large. The limit is 1 MiB, unless the deployment sets another one.", "", "", body},
		{415, "Compressed", "The body has a Content-Encoding.", "Accept-Encoding", "The accepted encoding: identity.", body},
		{422, "Misfit", "The body is JSON, but a field is missing or has the wrong type.", "", "",
			func(f facts, _ protoreflect.MethodDescriptor, body bool) bool { return body && f.words }},
		{429, "TooMuch", "Too many requests, or a limit of the caller is reached. Retry later.", "Retry-After", later, all},
		{500, "Fault", "An internal error of the server.", "", "", all},
		{501, "ServedElsewhere", "The request reached a part of the server that does not implement it.", "", "", all},
		{503, "Away", "Something that the server needs is down. Retry later.", "Retry-After", later, all},
		{504, "TookTooLong", "The call took too long. Retry later.", "", "", all},
	}
}

// ofOneJob reports whether a call is about one job, and requires its secret.
func ofOneJob(method protoreflect.MethodDescriptor) bool {
	fields := method.Input().Fields()
	job := fields.ByName("job")
	return fields.ByName("secret") != nil || job != nil && !strings.HasPrefix(string(method.Name()), "Init")
}
