// Package protov2 is the second version of the API: its messages, its gRPC service, its REST form and the document
// that describes it. All but this file is generated from the proto file beside it.
//
// Enums are enums to gRPC, with values as protobuf's style wants them, and lower-case words in JSON. lib/function
// translates between the two, and the document speaks of the words.
package protov2

import _ "embed"

//go:embed openapi.swagger.json
var openAPI string

// OpenAPI returns the API's description as an OpenAPI 2.0 document in JSON. It names no host, so a viewer takes
// the one that it got the document from.
func OpenAPI() string { return openAPI }
