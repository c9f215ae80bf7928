// Package protov1 is the first version of the API: its messages, its gRPC services, their REST form and the
// document that describes it. All but this file is generated from the proto files beside it.
package protov1

import _ "embed"

//go:embed openapi.swagger.json
var openAPI string

// OpenAPI returns the API's description as an OpenAPI 2.0 document in JSON. It names no host, so a viewer takes
// the one that it got the document from.
func OpenAPI() string { return openAPI }
