// Package protov2 is the second version of the API: its messages, its gRPC service, its REST form and the documents
// that describe it. All but this file is generated from the proto file beside it.
//
// Enums are enums to gRPC, with values as protobuf's style wants them, and lower-case words in JSON. lib/server
// translates between the two, and the document speaks of the words.
package protov2

import _ "embed"

//go:embed openapi.swagger.json
var swagger2 string

//go:embed openapi-3.1.json
var openAPI31 string

// Swagger2 returns the API's description as a Swagger 2.0 document in JSON. It names no host, so a viewer takes the one
// that it got the document from.
func Swagger2() string { return swagger2 }

// OpenAPI31 returns the API's description as an OpenAPI 3.1 document in JSON. It says more than Swagger 2 can: what a
// request may look like all the same, and how each error is answered. Its paths are relative to where it came from.
func OpenAPI31() string { return openAPI31 }
