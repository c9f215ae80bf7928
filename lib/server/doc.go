// Package server serves functions: it is what turns an ordinary Go type with a few methods into a service on
// one port. The same server carries one function in a container, and all of them in a local process or a test.
//
// A function registers what it serves, by method name, since the methods of one service live in several
// functions:
//
//	srv, err := server.New(server.Options{Log: log})
//	err = srv.Serve(apiv1.API(), f, "InitJob", "StartJob")
//	err = srv.Events("/events", f.Event)
//	err = srv.Run(ctx, listener)
//
// The package's example is a whole program.
//
// # One port
//
// The port speaks HTTP/1.1 and HTTP/2 in clear text. A request of gRPC's content type over HTTP/2 goes to
// gRPC, with its reflection and health services; everything else goes by path: the REST form of an API,
// CloudEvents, the documentation, /healthz. What is at none of these is 404.
//
// REST is the generated gateway, which calls the methods through the same interceptors as gRPC, without a
// socket. Before it stands a reader that takes JSON as clients in the wild write it (see JSON), and behind it a
// writer of errors in the form that the API's version has: {"code":…,"message":"…","details":[]} in the first, a JSON
// string in the second.
//
// # Errors
//
// A method returns errors of lib/job. They become gRPC and HTTP statuses here and nowhere else. The caller sees
// the message of the error and never its cause, which is logged. An error without a code of lib/job, and a
// panic, is told as an internal error, and ends no process.
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
// In the REST form of the second version, a body that is JSON and lacks something, or has something of the wrong type,
// is 422 and no 400. A call that outlasts the deadline of its caller is DeadlineExceeded, 504, and no fault of ours: it is
// logged as news.
//
// Pages of all origins that may call REST may read its errors, too, also where there is no such path or method. What is left
// of a request's body is read before an error is answered, up to a bound, since most clients read no answer before they have
// sent everything.
//
// # Log
//
// Each request is one line when it ends: debug if it went well, else at a level by its code. It tells the
// method, the status, the job where there is one, the cause of an error, and the trace's id; never a query, a
// header or a body, since these hold secrets. What else is logged with a request's context names request, trace and
// job, too.
//
// # Telemetry
//
// Options.Observer is where metrics and traces go.
package server
