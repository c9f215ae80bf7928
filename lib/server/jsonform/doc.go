// Package jsonform is the JSON form of protobuf messages as the API's clients know it: lenient in what it reads, byte for byte
// stable in what it writes. What differs between APIs is data: aliases, words for enum values, bodies that are not objects.
package jsonform
