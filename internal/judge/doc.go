// Command judge puts the backend's verdict on inputs beside that of the real programs, for a catalogue of some hundred
// small variants of input: genomes, options, tables, regions, proteins, profiles and annotations in all the forms
// that people bring. README.md says how it is used and read.
package main
