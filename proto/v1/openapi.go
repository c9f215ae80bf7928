// Package protov1 is the first version of the API: its messages, its gRPC services, their REST form and the documents that describe it.
// Everything except this file is generated from the proto files in this folder. Package apiv1 below it serves the API.
package protov1

import _ "embed"

//go:embed openapi.swagger.json
var swagger2 string

//go:embed openapi-3.1.json
var openAPI31 string

// Swagger2 returns the API's description as a Swagger 2.0 document in JSON. It contains no host, so a viewer uses the host that it loaded
// the document from.
func Swagger2() string { return swagger2 }

// OpenAPI31 returns the API's description as an OpenAPI 3.1 document in JSON. It describes more than Swagger 2 can: the lenient forms of a
// request, and the answer to each error. Its paths are relative to the document's address.
func OpenAPI31() string { return openAPI31 }
