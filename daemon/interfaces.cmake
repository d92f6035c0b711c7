# The interface files are the documentation and are answered by GetInterfaceDescription: embedded as they stand, in the
# source file MUSTER_EMBEDDED_INTERFACES.
file(GLOB interfaces CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/interfaces/*.varlink)
set(MUSTER_EMBEDDED_INTERFACES ${CMAKE_CURRENT_BINARY_DIR}/interfaces.cpp)
set(text "#include \"service/server/interfaces.hpp\"\n\nnamespace muster::service {\n\n")
string(APPEND text "std::vector<std::string_view> embedded_interfaces() {\n    return {\n")
foreach(file ${interfaces})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} content)
  string(APPEND text "R\"varlink(${content})varlink\",\n")
endforeach()
string(APPEND text "    };\n}\n\n}  // namespace muster::service\n")
file(CONFIGURE OUTPUT ${MUSTER_EMBEDDED_INTERFACES} CONTENT "${text}" @ONLY)
