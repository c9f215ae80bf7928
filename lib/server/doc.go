// Package server serves functions: it turns a Go type with a few methods into a service on one port. The same server serves one function
// in a container, and all of them in a local process or a test. It knows nothing of Bakta.
//
// A function registers the methods that it serves by name, because the methods of one service belong to several functions:
//
//	srv, err := server.New(server.Options{Log: log, ReadEvent: cloudevent.Read})
//	err = srv.Serve(apiv1.API(), f, "InitJob", "StartJob")
//	err = srv.Events("/events", f.Event)
//	err = srv.Run(ctx, listener)
//
// The example of the package is a complete program.
//
// # One port
//
// The port serves HTTP/1.1 and HTTP/2 without TLS. A request with the content type of gRPC over HTTP/2 goes to gRPC, with its reflection
// and health services. Every other request goes by its path: to the REST form of an API, CloudEvents, the documentation, or /healthz.
// Every other path is 404.
//
// REST is the generated gateway, which calls the methods through the same interceptors as gRPC, without a socket. Requests and answers
// have the JSON form of jsonform.Form. Errors have the form of the API's version: {"code":…,"message":"…","details":[]} in the first, a
// JSON string in the second.
//
// # Callers
//
// Each request has a caller in its context, see lib/caller. Options.Admit admits or refuses each call of a method, by gRPC or REST, and
// each event, before it has an effect; Options.Finish may still refuse a call that was handled. Options.Authenticate requires a bearer
// token for events.
//
// # Errors
//
// A method returns errors of lib/job. Only the server translates them to gRPC and HTTP statuses. The caller gets the message of an error.
// Its cause is logged. An error without a code of lib/job, and a panic, is reported as an internal error; a panic does not end the
// process.
//
//	lib/job         gRPC                 HTTP   events
//	Invalid         InvalidArgument      400    204
//	TooLarge        InvalidArgument      400    204
//	NotFound        NotFound             404    204
//	WrongSecret     Unauthenticated      401    204
//	AlreadyExists   AlreadyExists        409    204
//	NotReady        FailedPrecondition   400    204
//	Exhausted       ResourceExhausted    429    429
//	Unavailable     Unavailable          503    503
//	any other       Internal             500    503
//
// If an Exhausted error has a job.Retry, the answer has Retry-After, and by gRPC and in the first version the details RetryInfo,
// QuotaFailure and ErrorInfo of google.rpc, which name the limit.
//
// API.MisfitStatus replaces 400 for a body that is JSON but lacks a field, or has a field of the wrong type. A call that exceeds the
// deadline of its caller is DeadlineExceeded, 504. That is not an error of the server and is logged as information.
//
// Web pages that may call REST may also read its errors, even if the path or the method does not exist. The server reads the rest of a
// request's body before it answers with an error, up to a bound, because most clients read the answer only after they have sent
// everything.
//
// # Log
//
// Each request is one line, written when it ends: at debug level if it succeeded, else at a level by its code. The line contains the
// method, the status, the id of the job if there is one, the cause of an error, and the trace's id. It never contains a query, a header
// field or a body, because these contain secrets, and the caller only if Options.LogCallers is set. Other lines that are logged with a
// request's context contain its id, trace and job, too.
//
// # Telemetry
//
// Options.Observer receives what metrics and traces are made of.
package server
