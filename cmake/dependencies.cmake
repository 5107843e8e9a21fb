find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

pkg_check_modules(LIBS REQUIRED IMPORTED_TARGET
    libmariadb jansson yaml-0.1 sqlite3 libzstd libdeflate libcrypto libxxhash libcurl>=7.87 expat)

target_link_libraries(calve_flags INTERFACE PkgConfig::LIBS Threads::Threads m)
