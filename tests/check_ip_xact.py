"""Compares a bundle's component.xml and tile.core with what they describe.

Usage: check_ip_xact.py BUNDLE. Prints every difference and exits with 1, or prints a count of what was compared.
"""
import os
import re
import sys
import xml.etree.ElementTree as ET

S = "{http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009}"
folder = sys.argv[1]
root = ET.parse(os.path.join(folder, "component.xml")).getroot()
complaints = []
compared = 0


def read(path):
    with open(os.path.join(folder, path)) as f:
        return f.read()


def equal(what, got, wanted):
    global compared
    compared += len(wanted)
    if not wanted:
        complaints.append(f"{what}: nothing to compare with")
    for key in sorted(set(got) | set(wanted)):
        if got.get(key) != wanted.get(key):
            complaints.append(f"{what} {key}: {got.get(key)} instead of {wanted.get(key)}")


def text(node, *path):
    for name in path:
        node = node.find(S + name)
    return node.text


def number(value):
    return int(value, 0)


# Ports and their widths.
ports = {}
for port in root.iter(S + "port"):
    vector = port.find(f"{S}wire/{S}vector")
    width = 1 if vector is None else number(text(vector, "left")) - number(text(vector, "right")) + 1
    ports[text(port, "name")] = (text(port, "wire", "direction"), width)
verilog = {}
for direction, left, name in re.findall(r"^ *(input|output) +wire +(?:\[ *(\d+):0\] +)?(\w+),?$", read("rtl/tile_top.v"), re.M):
    verilog[name] = (direction.replace("put", ""), int(left or 0) + 1)
equal("port", ports, verilog)

# Every port belongs to one interface, and its logical name is its own.
mapped = {}
for bus in root.iter(S + "busInterface"):
    for pair in bus.iter(S + "portMap"):
        logical, physical = text(pair, "logicalPort", "name"), text(pair, "physicalPort", "name")
        if physical in mapped:
            complaints.append(f"port {physical}: in two interfaces")
        mapped[physical] = ports.get(physical)
        if "axi" in physical and physical != f"{text(bus, 'name')}_{logical.lower()}":
            complaints.append(f"port {physical}: is mapped to {logical} of {text(bus, 'name')}")
equal("mapped port", mapped, verilog)

# Addresses of the registers, against the driver's header.
registers = {text(r, "name"): number(text(r, "addressOffset")) for r in root.iter(S + "register")}
enum = re.search(r"enum Register : uint32_t \{(.*?)\};", read("sw/bus.h"), re.S).group(1)
header = {}
for name, address in re.findall(r"k(\w+) = (0x[0-9A-F]+),", enum):
    header[re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()] = number(address)
equal("register", registers, header)

# Fields lie within their registers and do not overlap.
for register in root.iter(S + "register"):
    taken = 0
    for field in register.findall(S + "field"):
        offset, width = number(text(field, "bitOffset")), number(text(field, "bitWidth"))
        mask = (1 << width) - 1 << offset
        if mask >> number(text(register, "size")) or taken & mask:
            complaints.append(f"register {text(register, 'name')}: field {text(field, 'name')} does not fit")
        taken |= mask

# References lead somewhere.
spaces = {text(s, "name") for s in root.iter(S + "addressSpace")} | {text(s, "name") for s in root.iter(S + "memoryMap")}
for kind in ("addressSpaceRef", "memoryMapRef"):
    for reference in root.iter(S + kind):
        if reference.get(S + kind) not in spaces:
            complaints.append(f"{kind} {reference.get(S + kind)}: leads nowhere")
sets = {text(s, "name"): [text(f, "name") for f in s.findall(S + "file")] for s in root.iter(S + "fileSet")}
for reference in root.iter(S + "fileSetRef"):
    if text(reference, "localName") not in sets:
        complaints.append(f"fileSetRef {text(reference, 'localName')}: leads nowhere")
for parameter in root.iter(S + "parameter"):
    if text(parameter, "name") != "ASSOCIATED_BUSIF":
        continue
    buses = {text(b, "name") for b in root.iter(S + "busInterface")}
    for name in text(parameter, "value").split(":"):
        if name not in buses:
            complaints.append(f"ASSOCIATED_BUSIF {name}: is no interface")

# Every file of rtl/ is in a set of its own kind; FuseSoC's core lists these, tb/ and sw/ too.
found = {}
for folder_name in ("rtl", "constraints", "tb", "sw"):
    for place, _, names in os.walk(os.path.join(folder, folder_name)):
        for name in names:
            path = os.path.relpath(os.path.join(place, name), folder)
            if not place.endswith("build"):
                found[path] = True
sources = {p: True for p in found if p.endswith((".sv", ".v"))}
properties = {p: True for p in sources if p.startswith("rtl/props/")}
engine = {p: True for p in sources if p not in properties}
equal("file of simulation", {p: True for p in sets["simulation"]}, engine)
equal("file of synthesis", {p: True for p in sets["synthesis"]}, engine | {"constraints/tile.xdc": True})
equal("file of properties", {p: True for p in sets["properties"]}, properties)
equal("file of tile.core", {p: True for p in re.findall(r"^      - ([\w/.]+): \{", read("tile.core"), re.M)}, found)

for complaint in complaints:
    print(complaint, file=sys.stderr)
if complaints:
    sys.exit(1)
print(f"{compared} compared")
